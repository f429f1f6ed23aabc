"""Password hashing: the named parameters, formats of other systems, the pool that bounds it all."""

from authcore.backends.hashing.argon2id import HashParameters
from authcore.backends.hashing.bcrypt import Bcrypt
from authcore.backends.hashing.brought.firebase import Firebase
from authcore.backends.hashing.brought.flask_security import FlaskSecurity
from authcore.backends.hashing.choice import Hashing
from authcore.backends.hashing.named import (
    ARGON2ID_BALANCED,
    ARGON2ID_HIGH,
    BCRYPT_12,
    CHEAP,
    PBKDF2_SHA256_600000,
    PBKDF2_SHA512_600000,
    SCRYPT_16384,
    SCRYPT_131072,
)
from authcore.backends.hashing.pbkdf2 import Pbkdf2
from authcore.backends.hashing.scrypt import Scrypt

__all__ = [
    "ARGON2ID_BALANCED",
    "ARGON2ID_HIGH",
    "BCRYPT_12",
    "CHEAP",
    "PBKDF2_SHA256_600000",
    "PBKDF2_SHA512_600000",
    "SCRYPT_16384",
    "SCRYPT_131072",
    "Bcrypt",
    "Firebase",
    "FlaskSecurity",
    "HashParameters",
    "Hashing",
    "Pbkdf2",
    "Scrypt",
]
