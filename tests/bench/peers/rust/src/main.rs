//! The gateway's contract in Rust: POST /orders, the body checked against a JSON Schema, 202 once Kafka has acknowledged it.
//! axum and librdkafka (bundled with rust-rdkafka), acks=all, idempotent. Environment: KAFKA, TOPIC, PORT, LINGER (ms), SCHEMA.
use std::{env, fs, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{body::Bytes, extract::State, http::StatusCode, routing::post, Router};
use rdkafka::{
    config::ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{json, Value};
use tokio::{net::TcpListener, runtime, signal::unix};

struct Gateway {
    producer: FutureProducer,
    schema: jsonschema::Validator,
    topic: String,
}

fn problem(status: StatusCode, detail: String) -> (StatusCode, String) {
    (status, json!({ "error": detail }).to_string())
}

async fn order(State(gateway): State<Arc<Gateway>>, body: Bytes) -> (StatusCode, String) {
    let document: Value = match serde_json::from_slice(&body) {
        Ok(document) => document,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error.to_string()),
    };
    if let Err(error) = gateway.schema.validate(&document) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    }
    let key = document["orderID"].as_str().unwrap_or("");
    let record = FutureRecord::to(&gateway.topic).key(key).payload(&body[..]);
    match gateway.producer.send(record, Duration::ZERO).await {
        Ok(_) => (StatusCode::ACCEPTED, json!({ "status": "accepted", "orderID": key }).to_string()),
        Err((error, _)) => problem(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn producer() -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", variable("KAFKA"))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", variable("LINGER"))
        .set("compression.type", "none")
        .set("message.timeout.ms", "10000")
        .create()
        .expect("a producer")
}

async fn serve() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(variable("SCHEMA")).unwrap()).unwrap();
    let gateway = Arc::new(Gateway {
        producer: producer(),
        schema: jsonschema::validator_for(&schema).expect("a schema"),
        topic: variable("TOPIC"),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, variable("PORT").parse().unwrap())).await.unwrap();
    let router = Router::new().route("/orders", post(order)).with_state(gateway);
    let asked = async {
        unix::signal(unix::SignalKind::terminate()).unwrap().recv().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(asked).await.unwrap();
}

fn main() {
    let runtime = runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    runtime.expect("a runtime").block_on(serve());
}
