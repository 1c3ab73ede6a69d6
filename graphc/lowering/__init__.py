"""From fused graphs to kernels: views as affine accesses, loops, the schedule of a program."""
