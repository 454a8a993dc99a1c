"""What an operator costs between a resource and its child, on a real API server and etcd without nodes."""
