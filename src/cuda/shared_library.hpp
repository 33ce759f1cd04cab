#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include <ito/error.hpp>

namespace ito::cuda {

/// A library of the CUDA toolkit, looked for when it is first used: the file that an environment
/// variable names, else where the loader looks, in CUDA_HOME, CUDA_PATH and /usr/local/cuda. Never
/// unloaded.
class SharedLibrary {
 public:
  struct Search {
    std::string title;               ///< for messages: "NVRTC, which compiles the CUDA kernels"
    std::string variable;            ///< "ITO_NVRTC"
    std::vector<std::string> names;  ///< file names, the best first
    std::string package;             ///< of Python, that brings it
  };
  /// Throws ito::Error that says what is missing, where it was looked for and what brings it.
  explicit SharedLibrary(const Search& search);

  const std::string& path() const { return path_; }

  /// `Function`: a pointer to one. Throws ito::Error when there is no such function.
  template <class Function>
  Function find(const char* name) {
    return reinterpret_cast<Function>(symbol(name));
  }

 private:
  void* symbol(const char* name);

  void* library_ = nullptr;
  std::string path_;
};

/// A member that holds the function of this name in the member `library`, by the type that NVIDIA's
/// header declares.
#define ITO_FUNCTION(name) decltype(&::name) name = library.find<decltype(&::name)>(#name)

/// "libNAME.so.13" and "libNAME.so.12", that of the toolkit of the build first: a driver runs what
/// its own major version or an older one made.
std::vector<std::string> toolkit_files(const std::string& name);

}  // namespace ito::cuda
