#pragma once

namespace ito {

/// "major.minor.patch" of the library linked.
const char* version();

}  // namespace ito
