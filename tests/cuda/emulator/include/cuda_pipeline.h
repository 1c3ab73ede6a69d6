#pragma once  // cuda.h, which is included before all, has it
