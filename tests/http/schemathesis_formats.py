"""What schemathesis can't make of a schema: in headers it uses letters and digits only unless a format says how, and it
does not write documents into strings. Positions are those of commands that were sent before."""
import json

import schemathesis
from hypothesis import strategies

POSITIONS = strategies.from_regex(r"(orders|products)/[0-6]/[0-2]", fullmatch=True)
ORDERS = strategies.fixed_dictionaries(
    {"customerID": strategies.from_regex("[a-z]{1,9}", fullmatch=True), "total": strategies.integers(0, 10**6)},
    optional={"status": strategies.sampled_from(["CREATED", "PAID"]), "orderID": strategies.from_regex("[a-z]{1,9}", fullmatch=True)})

schemathesis.openapi.format("weir-position", POSITIONS)
schemathesis.openapi.format("json", ORDERS.map(json.dumps))
schemathesis.openapi.format("weir-letter", strategies.from_regex(r"orders\.store\.dlq~[0-5]~[0-2]", fullmatch=True))
schemathesis.openapi.format("weir-token", strategies.sampled_from(["earliest", "latest"]))
