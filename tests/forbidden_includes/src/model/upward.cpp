#include "cpu/engine.hpp"
#include "model/shape.hpp"
