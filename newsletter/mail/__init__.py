"""What goes over the wire: messages, connections, replies, tokens."""
