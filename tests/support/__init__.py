"""What several test layers share: waiting, a control plane without nodes, its certificates."""
