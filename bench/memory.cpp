#include "memory.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

namespace bench {

double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  const std::string key = "VmHWM:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::atof(line.c_str() + key.size()) / 1024;
  }
  return 0;
}

}  // namespace bench
