"""What is found out, drawn: tables for the terminal, pictures, the table of support."""
