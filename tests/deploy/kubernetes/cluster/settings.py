"""The files that the programs of a cluster read, as templates: {folder}, {name} (of its control group), {node} (its address)."""

CONTAINERD = """\
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/containerd/socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""

NETWORK = """\
{{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": {{"type": "host-local", "dataDir": "{folder}/cni/addresses", "ranges": [[{{"subnet": "10.244.0.0/24"}}]],
              "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"""

KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{folder}/containerd/socket
cgroupDriver: cgroupfs
cgroupRoot: /{name}
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [{node}]
clusterDomain: cluster.local
resolvConf: {folder}/resolv.conf
address: {node}
healthzBindAddress: 127.0.0.1
tlsCertFile: {folder}/keys/kubelet.crt
tlsPrivateKeyFile: {folder}/keys/kubelet.key
authentication: {{x509: {{clientCAFile: {folder}/keys/ca.crt}}, anonymous: {{enabled: false}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
volumePluginDir: {folder}/kubelet/plugins
podLogsDir: {folder}/pods
evictionHard: {{memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%", nodefs.inodesFree: "1%"}}
nodeStatusUpdateFrequency: 5s
syncFrequency: 10s
"""

PROXY = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {{kubeconfig: {folder}/proxy.kubeconfig}}
hostnameOverride: node
mode: nftables
clusterCIDR: 10.244.0.0/16
oomScoreAdj: 0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
"""

DNS = """\
.:53 {{
  bind {node}
  errors
  kubernetes cluster.local {{
    kubeconfig {folder}/dns.kubeconfig
    ttl 2
  }}
}}
"""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "https://127.0.0.1:6443", certificate-authority: {folder}/keys/ca.crt}}}}]
users: [{{name: user, user: {{client-certificate: {folder}/keys/{user}.crt, client-key: {folder}/keys/{user}.key}}}}]
contexts: [{{name: test, context: {{cluster: test, user: user}}}}]
current-context: test
"""

FILES = {"containerd.toml": CONTAINERD, "cni/pods.conflist": NETWORK, "kubelet.yaml": KUBELET, "proxy.yaml": PROXY, "Corefile": DNS,
         "resolv.conf": ""}

CLASS = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
"""

VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 10Gi}}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: local
  local: {{path: {path}}}
  nodeAffinity:
    required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [node]}}]}}]}}
"""
