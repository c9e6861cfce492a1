"""What a spec costs: parameters, operations, bytes moved."""
