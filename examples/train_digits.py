"""A convolutional classifier of handwritten digits: the whole training step is one program.

    python examples/train_digits.py

Prints the accuracy on digits that it was not trained on, and one of the kernels that it became.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import graphc as torch
from graphc import nn

EPOCHS = 12
BATCH = 64


class Digits(nn.Module):
    """Two convolutions, each normalised and halved in size, and a linear head."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


def load():
    """Images of 8 x 8 pixels in [0, 1] and their labels, a quarter of them kept for the test."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)
model = Digits().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


@torch.compile
def step(x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def accuracy(x, y):
    """The share of the digits that the model names right."""
    model.eval()
    with torch.no_grad():
        named = model(torch.from_numpy(x).to(device)).argmax(dim=1)
    return (named.cpu() == torch.from_numpy(y)).float().mean().item()


def main():
    x_train, x_test, y_train, y_test = load()
    order = np.random.default_rng(0)
    batches = len(x_train) // BATCH
    model.train()
    with tqdm(total=EPOCHS * batches, unit=" steps") as progress:
        for epoch in range(EPOCHS):
            shuffled = order.permutation(len(x_train))[: batches * BATCH].reshape(batches, BATCH)
            for batch in shuffled:
                x, y = (torch.from_numpy(part[batch]) for part in (x_train, y_train))
                loss = step(x.to(device), y.to(device))
                progress.update()
            progress.set_postfix(epoch=epoch + 1, loss=f"{loss.item():.4f}")

    print(f"test accuracy: {accuracy(x_test, y_test):.1%}\n")
    of_loss = [kernel for kernel in step.kernels if kernel.origin.startswith("cross_entropy")]
    longest = max(of_loss, key=lambda kernel: len(kernel.text))
    print(f"The step is {len(step.kernels)} kernels; this one is the loss and its gradient:\n")
    print(longest.text)


if __name__ == "__main__":
    main()
