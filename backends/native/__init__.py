"""The native backend: a program as one readable C file, compiled and called in place."""
