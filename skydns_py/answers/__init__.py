"""From a packet to its reply, without IO: judge, look up, pack."""
