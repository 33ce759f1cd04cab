// The kinds of a model's parts, for host and kernels alike.
#pragma once

namespace ito {

enum class InitialKind { point, learned, gaussian };
enum class DiffusionKind { identity, constant_diagonal, constant_general, diagonal, general };
enum class ControlKind { none, constant, open_loop, feedback, drift };

}  // namespace ito
