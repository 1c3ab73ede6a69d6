"""A first tour of PyTorch, run by graphc: only the two imports below are not PyTorch's."""

import graphc as torch
import graphc.nn as nn

# Tensors are made from lists, and print as one expects.
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
y = torch.tensor([[5.0, 6.0], [7.0, 8.0]])
print(x)
print(x + y)
print(x * y)
print(x @ y)
print(x.shape, x.dtype, x.device)
print(torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3]).dtype)
print(torch.tensor([True, False]))
print(torch.tensor(3.5))
print(torch.zeros(2, 3))
print(torch.ones(2, 3).size())
print(torch.arange(0, 10, 2))
print(torch.linspace(0, 1, 5))
print(torch.arange(12).reshape(3, 4)[1:, ::2])
print(torch.tensor([1e-3, 1.0, 1e6]))
print(torch.tensor([float("inf"), float("nan"), -0.5]))
print(torch.tensor([0.1, 0.2], dtype=torch.float64))
print(torch.arange(2000.0))
print(torch.arange(10000).reshape(100, 100))
print(torch.tensor([]))
print(x.sum(), x.mean(), x.max(), x.argmax(dim=1))
print(x.T, x.numpy().shape)

# Automatic differentiation.
x = torch.tensor(2.0, requires_grad=True)
y = 2 * x**2 + 3
print(x)
print(y)
y.backward()
print(x.grad)

w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
loss = (w * w).sum()
print(loss)
loss.backward()
print(w.grad)
with torch.no_grad():
    print((w * 2).requires_grad)
print(w.detach())


# A model is a class; its layers are its attributes.
class SimpleModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 5)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(5, 1)

    def forward(self, x):
        x = self.fc1(x)
        x = self.relu(x)
        x = self.fc2(x)
        return x


model = SimpleModel()
print(model)
for name, parameter in model.named_parameters():
    print(name, parameter.shape, parameter.requires_grad)
print(sum(p.numel() for p in model.parameters()))

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
model = model.to(device)
inputs = torch.tensor([[5.0] * 10]).to(device)
targets = torch.tensor([[1.0]]).to(device)
print(inputs.device, next(model.parameters()).device)
print(model(inputs))

# Training: forward, loss, backward, update.
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
print(optimizer)

epochs = 100
for epoch in range(epochs):
    model.train()
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    if (epoch + 1) % 10 == 0:
        print(f"Epoch [{epoch + 1}/{epochs}], Loss: {loss.item():.4f}")

# Using it.
model.eval()
with torch.no_grad():
    print(f"Prediction: {model(inputs).item():.4f}")
