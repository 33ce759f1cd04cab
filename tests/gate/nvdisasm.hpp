#pragma once

#include <string>

namespace ito::cuda {

/// NVIDIA's disassembler: the program that ITO_NVDISASM names, else `nvdisasm` of the path. Throws
/// ito::Error where there is none.
std::string find_nvdisasm();

/// A cubin's code as text. Throws ito::Error where the disassembler fails.
std::string disassemble(const std::string& cubin);

}  // namespace ito::cuda
