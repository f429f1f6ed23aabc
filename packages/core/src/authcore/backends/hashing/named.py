"""The parameters by name, each with its source; `Auth(hashing=…)` takes one of them."""

from __future__ import annotations

from authcore.backends.hashing.argon2id import HashParameters
from authcore.backends.hashing.bcrypt import Bcrypt
from authcore.backends.hashing.pbkdf2 import Pbkdf2
from authcore.backends.hashing.scrypt import Scrypt

ARGON2ID_BALANCED = HashParameters(memory_kib=32768, time_cost=2)  # KiB, passes; above OWASP's 19456 KiB at 2
ARGON2ID_HIGH = HashParameters(memory_kib=65536, time_cost=4)  # KiB, passes; the memory of RFC 9106 4, one pass more
BCRYPT_12 = Bcrypt(rounds=12)  # 2^12 rounds; OWASP asks for 10 or more
SCRYPT_16384 = Scrypt(n=16384, r=8, p=1)  # 16 MiB; RFC 7914 2, OWASP asks for p=5 beside it
SCRYPT_131072 = Scrypt(n=131072, r=8, p=1, max_memory_mib=160)  # 128 MiB; OWASP
PBKDF2_SHA256_600000 = Pbkdf2(hash="sha256", iterations=600_000)  # OWASP, with 16 bytes of salt (SP 800-132 5.1)
PBKDF2_SHA512_600000 = Pbkdf2(hash="sha512", iterations=600_000, salt_bytes=32, hash_bytes=64)  # OWASP: 210,000
CHEAP = HashParameters(memory_kib=8, time_cost=1)
"""For tests alone: a thousandth of the work, and `check` refuses it."""
