#pragma once

namespace ito {

/// The most bytes this process has had resident; 0 where the system does not say.
double peak_memory();

}  // namespace ito
