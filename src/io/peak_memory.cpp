#include "io/peak_memory.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

namespace ito {

double peak_memory() {
  // Not getrusage: there a child process counts what its parent had when it was started.
  std::ifstream status("/proc/self/status");
  const std::string key = "VmHWM:";
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return 1024 * std::atof(line.c_str() + key.size());
  return 0;
}

}  // namespace ito
