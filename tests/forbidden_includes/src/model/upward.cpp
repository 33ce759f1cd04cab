#include <ito/fit.hpp>
#include <ito/lab/target.hpp>

#include "cpu/engine.hpp"
#include "model/shape.hpp"
