"""What stands behind the ports: nothing opens a file, a socket, a thread or a loop before its first use."""
