"""Networks that other programs wrote, read as data: ONNX and torch.export, one fixed image classifier each."""
