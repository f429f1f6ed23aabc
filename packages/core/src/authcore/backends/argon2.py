"""Password hashing, under the name that it is asked for by: argon2id is the default of several."""

from authcore.backends.hashing.argon2id import VERSION, HashParameters
from authcore.backends.hashing.hashers import AsyncHasher, BlockingHasher, ThreadHasher
from authcore.backends.hashing.named import ARGON2ID_BALANCED, CHEAP
from authcore.backends.hashing.pool import MAX_WAIT, HashPool, cores

STANDARD = ARGON2ID_BALANCED

__all__ = [
    "ARGON2ID_BALANCED",
    "CHEAP",
    "MAX_WAIT",
    "STANDARD",
    "VERSION",
    "AsyncHasher",
    "BlockingHasher",
    "HashParameters",
    "HashPool",
    "ThreadHasher",
    "cores",
]
