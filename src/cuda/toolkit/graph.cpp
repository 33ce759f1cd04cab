#include "cuda/toolkit/graph.hpp"

#include <memory>
#include <string>

#include <ito/error.hpp>

#include "cuda/toolkit/check.hpp"

namespace ito::cuda {
namespace {

thread_local bool capturing = false;

/// Captures `stream` while it lives.
class Capture {
 public:
  explicit Capture(cudaStream_t stream) : stream_(stream) {
    // What this thread must not do meanwhile is refused here; libraries may load their kernels.
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    capturing = true;
  }
  ~Capture() {
    if (!capturing) return;
    capturing = false;
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
    cudaGetLastError();
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaGraph_t end() {
    capturing = false;
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
    return graph;
  }

 private:
  cudaStream_t stream_;
};

struct GraphDeleter {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};

}  // namespace

CudaGraph::CudaGraph(int ordinal, cudaStream_t stream, const std::function<void()>& work)
    : ordinal_(ordinal) {
  refuse_while_capturing("capture");
  Capture capture(stream);
  work();
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDeleter> graph(capture.end());
  check(cudaGraphInstantiate(&executable_, graph.get(), 0), "cudaGraphInstantiate");
}

CudaGraph::~CudaGraph() { cudaGraphExecDestroy(executable_); }

void CudaGraph::launch(GpuStream stream) {
  refuse_while_capturing("launch of a graph");
  const CurrentDevice current(ordinal_);
  check(cudaGraphLaunch(executable_, static_cast<cudaStream_t>(stream)), "cudaGraphLaunch");
}

void CudaGraph::refuse_while_capturing(const char* call) {
  if (capturing) throw Error(std::string(call) + ": not while a graph is captured");
}

}  // namespace ito::cuda
