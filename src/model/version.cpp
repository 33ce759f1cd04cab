#include <ito/version.hpp>

namespace ito {

const char* version() { return ITO_VERSION; }

}  // namespace ito
