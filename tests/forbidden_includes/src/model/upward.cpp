#include <ito/fit.hpp>

#include "cpu/engine.hpp"
#include "model/shape.hpp"
