"""What became of each container of a namespace: kubectl's watch, read while it goes on."""
import json
import subprocess
import threading


class Watch:
    """with Watch(cluster, namespace) as watch: … `ends` holds (pod, exit code) of every container that began and ended."""

    def __init__(self, cluster, namespace):
        self.command = [cluster.tools / "kubectl", "--namespace", namespace, "get", "pods", "--watch", "--output", "json"]
        self.ends = set()

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self

    def read(self):
        text, decoder = "", json.JSONDecoder()
        for line in self.process.stdout:
            text += line
            if line == "}\n":  # the end of one object as kubectl prints it
                self.see(decoder.raw_decode(text)[0])
                text = ""

    def see(self, pod):
        for status in pod["status"].get("containerStatuses", []):
            for state in (status.get("state", {}), status.get("lastState", {})):
                if state.get("terminated", {}).get("startedAt"):  # one that could not be begun is given up with 137
                    self.ends.add((pod["metadata"]["name"], state["terminated"]["exitCode"]))

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
