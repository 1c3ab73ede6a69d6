"""Differentiation as the user sees it: gradients, modes, functions with a gradient of their own."""

from graphc.autograd import function as function
from graphc.autograd import functional as functional
from graphc.autograd import grad_mode as grad_mode
from graphc.autograd.anomaly import detect_anomaly as detect_anomaly
from graphc.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from graphc.autograd.engine import backward as backward
from graphc.autograd.engine import grad as grad
from graphc.autograd.function import Function as Function
from graphc.autograd.grad_mode import enable_grad as enable_grad
from graphc.autograd.grad_mode import inference_mode as inference_mode
from graphc.autograd.grad_mode import is_grad_enabled as is_grad_enabled
from graphc.autograd.grad_mode import no_grad as no_grad
from graphc.autograd.grad_mode import set_grad_enabled as set_grad_enabled
from graphc.autograd.gradcheck import gradcheck as gradcheck
from graphc.autograd.gradcheck import gradgradcheck as gradgradcheck
from graphc.autograd.variable import Variable as Variable
