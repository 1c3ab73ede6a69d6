"""The intermediate representation: types, nodes, ops, graphs, their text and their verifier."""
