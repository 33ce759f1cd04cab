#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace ito::cuda {

/// nvdisasm's text of one kernel from lines of code and labels.
inline std::string listing(const std::vector<std::string>& lines,
                           const std::string& name = "kernel") {
  std::string out = "\t.section\t.text." + name +
                    ",\"ax\",@progbits\n\t.sectioninfo\t@\"SHI_REGISTERS=9\"\n.text." + name +
                    ":\n";
  int address = 0;
  for (const std::string& line : lines) {
    if (line.ends_with(':')) {
      out += line + "\n";
      continue;
    }
    char digits[16];
    std::snprintf(digits, sizeof digits, "%04x", static_cast<unsigned>(address));
    out += std::string("        /*") + digits + "*/                   " + line + " ;\n";
    address += 16;
  }
  return out + "\t.section\t.nv.info,\"\"\n\t.align\t4\n";
}

}  // namespace ito::cuda
