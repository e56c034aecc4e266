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

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "figures.lua")
