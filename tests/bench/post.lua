-- One order of about 350 bytes a request, its id varying over a million; figures as one JSON line.
local sequence = os.time() % 100000 * 1000
local states = {"CREATED", "PAID", "SHIPPED", "DELIVERED"}
local order = '{"orderID":"ord-%09d","customerID":"cust-%06d","email":"customer%06d@example.org","status":"%s",' ..
  '"currency":"EUR","total":%.2f,"createdAt":"2026-11-21T04:%02d:%02dZ","items":[{"sku":"SKU-%05d","quantity":2,' ..
  '"unitPrice":12.50},{"sku":"SKU-77120","quantity":1,"unitPrice":%.2f}],' ..
  '"shippingAddress":{"city":"Berlin","postalCode":"10115"}}'

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer bench"

request = function()
  sequence = sequence + 1
  local id = (sequence * 7919) % 1000000
  return wrk.format(nil, nil, nil, string.format(order, id, id % 100000, id % 100000, states[sequence % 4 + 1],
    25 + sequence % 5000 / 100, sequence % 60, (sequence * 7) % 60, id % 90000, sequence % 5000 / 100))
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('WRK {"requests":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f,"non2xx":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
