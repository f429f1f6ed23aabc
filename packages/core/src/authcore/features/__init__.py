"""The rooms. They never import each other; what two of them share lives in `services`."""
