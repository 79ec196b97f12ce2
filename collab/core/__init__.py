"""The documents themselves: bytes in, bytes out.

Nothing in here waits, reads a clock, draws a random number, or knows SQL, Redis and sockets.
"""
