#include "model/shape.hpp"
