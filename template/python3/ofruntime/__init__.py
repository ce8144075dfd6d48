"""What stands between the network and a handler."""
