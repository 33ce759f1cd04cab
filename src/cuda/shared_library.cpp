#include "cuda/shared_library.hpp"

#include <dlfcn.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

namespace ito::cuda {
namespace {

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? value : "";
}

std::vector<std::string> candidates(const SharedLibrary::Search& search) {
  if (const std::string named = environment(search.variable); !named.empty()) return {named};
  std::vector<std::string> folders{""};
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string root = environment(variable); !root.empty())
      folders.push_back(root + "/lib64/");
  }
  folders.emplace_back("/usr/local/cuda/lib64/");
  std::vector<std::string> all;
  for (const std::string& name : search.names) {
    for (const std::string& folder : folders) all.push_back(folder + name);
  }
  return all;
}

}  // namespace

SharedLibrary::SharedLibrary(const Search& search) {
  const auto files = candidates(search);
  for (const std::string& file : files) {
    library_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_) {
      path_ = file;
      return;
    }
  }
  if (files.size() == 1) {  // its own complaint, which begins with the name
    throw Error(fmt::format("{}, cannot be loaded: {} (named by {})", search.title, dlerror(),
                            search.variable));
  }
  throw Error(
      fmt::format("{}, is missing: none of {} can be loaded; it is part of the CUDA "
                  "toolkit and of the Python package {}, and {} names its file",
                  search.title, fmt::join(files, ", "), search.package, search.variable));
}

void* SharedLibrary::symbol(const char* name) {
  void* found = dlsym(library_, name);
  if (!found) throw Error(fmt::format("{}: has no function {}", path_, name));
  Dl_info where{};
  if (dladdr(found, &where) && where.dli_fname) path_ = where.dli_fname;
  return found;
}

std::vector<std::string> toolkit_files(const std::string& name) {
  std::vector<std::string> names{"lib" + name + ".so.13", "lib" + name + ".so.12"};
#ifdef ITO_CUDA_MAJOR
  std::stable_partition(names.begin(), names.end(), [&](const std::string& file) {
    return file == "lib" + name + ".so." + std::to_string(ITO_CUDA_MAJOR);
  });
#endif
  return names;
}

}  // namespace ito::cuda
