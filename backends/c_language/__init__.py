"""What C and CUDA C share: types, statements, the spelling of each elementwise primitive."""
