#pragma once

#include <vector>

#include "cuda/model_constants.hpp"
#include "model/shape.hpp"

namespace ito {

/// One layer's places; see kernels/per_path/net.cuh for their meaning.
struct ThreadLayer {
  int outputs = 0;
  int forward = 0, transposed = 0, bias = 0;  ///< among the numbers
  int values = 0, slopes = 0;                 ///< rows of a thread
};

struct ThreadNet {
  NetShape shape;
  std::vector<ThreadLayer> layers;  ///< empty: no such net
};

/// How a model lies in device memory for the kernels that take a path a thread, told to them as
/// constants (source.cpp) and tables. The solver has no part in it.
struct SchemeLayout : ParameterTables {
  explicit SchemeLayout(const ModelShape& shape);

  ThreadNet drift, diffusion, control;
  int net_rows = 0;  ///< rows of a thread that the nets take, the first ones
};

}  // namespace ito
