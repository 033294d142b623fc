"""What the black-box tests share: processes, raw HTTP, needles and shapes."""
