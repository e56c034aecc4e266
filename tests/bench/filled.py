"""A store whose documents come from a change log that was written for it: configuration, log, what it says of itself."""
import http.client
import json
import pathlib
import subprocess

import measure

CONFIG = """[kafka]
bootstrap.servers = {kafka}
replication.factor = 1
min.insync.replicas = 1
[gateway]
listen = 127.0.0.1:{gateway}
management.listen = 127.0.0.1:{gateway_management}
access.log = off
auth = none
[collection orders]
key = orderID
partitions = 6
[collection products]
key = sku
partitions = 1
[service store]
plugin = store
topics = orders, products
management.listen = 127.0.0.1:{management}
state.dir = {folder}/state
store.path = {folder}/db
store.memory = {memory}
store.listen = 127.0.0.1:{port}
"""


class Filled:
    """One deployment below `folder`."""

    def __init__(self, folder, kafka, memory):
        names = ("gateway", "gateway_management", "management", "port")
        self.kafka, self.folder, self.ports = kafka, pathlib.Path(folder), dict(zip(names, measure.free_ports(len(names))))
        self.config = self.folder / "weir.conf"
        self.config.write_text(CONFIG.format(kafka=kafka, folder=folder, memory=memory, **self.ports))
        subprocess.run([measure.BUILD / "bin/weirctl", "--config", self.config, "topics", "apply"], check=True, stdout=subprocess.DEVNULL)

    def log(self, first, count, hours):
        """Adds that many orders to the change log, written so long ago."""
        subprocess.run([measure.BUILD / "tests/bench-changes", self.kafka, str(first), str(count), str(hours)], check=True)

    def store(self):
        return measure.program("store", [measure.BUILD / "bin/weir-consumer", "--config", self.config, "--service", "store",
                                         "--from-beginning"])

    def gateway(self):
        return measure.program("gateway", [measure.BUILD / "bin/weir-gateway", "--config", self.config])

    def states(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.ports["port"], timeout=5)
            connection.request("GET", "/positions")
            parts = json.load(connection.getresponse())["partitions"]
            connection.close()
            return [part["state"] for part in parts]
        except OSError:
            return []

    def is_serving(self):
        return set(self.states()) == {"serving"}

    def tables_mib(self):
        return round(sum(path.stat().st_size for path in (self.folder / "db").glob("*.sst")) / 2**20)
