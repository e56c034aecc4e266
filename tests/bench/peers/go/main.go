// The gateway's contract in Go: POST /orders, the body checked against a JSON Schema, 202 once Kafka has acknowledged it.
// net/http and franz-go, acks=all, idempotent. Environment: KAFKA, TOPIC, PORT, LINGER (ms), SCHEMA.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"
)

const bodyMax = 1 << 20

type gateway struct {
	client *kgo.Client
	schema *jsonschema.Schema
}

func problem(w http.ResponseWriter, status int, detail string) {
	reply(w, status, map[string]string{"error": detail})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func (g *gateway) order(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := g.schema.Validate(document); err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	key := document.(map[string]any)["orderID"].(string)
	record := &kgo.Record{Key: []byte(key), Value: body}
	if err := g.client.ProduceSync(r.Context(), record).FirstErr(); err != nil {
		problem(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	reply(w, http.StatusAccepted, map[string]string{"status": "accepted", "orderID": key})
}

func newGateway() *gateway {
	schema, err := jsonschema.NewCompiler().Compile(os.Getenv("SCHEMA"))
	if err != nil {
		log.Fatal(err)
	}
	linger, err := time.ParseDuration(os.Getenv("LINGER") + "ms")
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA"), ",")...),
		kgo.DefaultProduceTopic(os.Getenv("TOPIC")),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(linger),
		kgo.RecordDeliveryTimeout(10*time.Second),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		log.Fatal(err)
	}
	return &gateway{client, schema}
}

func main() {
	g := newGateway()
	defer g.client.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", g.order)
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-asked.Done()
		server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
