"""How fast models are and how much memory they take, beside plain PyTorch in float32."""
