"""graphc and its peers on the same workloads, in one interleaved run."""
