"""All that is to be known of graphc on a GPU, by one command within eight minutes, offline.

    python -m tools.gpu_check --pack wheels        on a machine with a network and CUDA's headers
    python -m tools.gpu_check --wheels wheels      on the machine with the GPU

It runs the conformance kit, the trainings, compute-sanitizer over the kit's kernels and benchmarks
against PyTorch and JAX, each within a share of the time, and writes what it found into a folder.
"""
