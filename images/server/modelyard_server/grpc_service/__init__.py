"""The gRPC half of the Open Inference Protocol, version 2, in front of the same data plane."""
