#include <gtest/gtest.h>

#include <ito/device.hpp>
#include <ito/plan.hpp>

#include "cuda/environment.hpp"
#include "cuda/gpu.hpp"
#include "cuda/runtime.hpp"
#include "cuda/says.hpp"
#include "refusal.hpp"

namespace ito::cuda {
namespace {

TEST(CudaDevice, NamesAreParsedBack) {
  EXPECT_EQ(Device::parse("cuda"), Device::cuda());
  EXPECT_EQ(Device::parse("cuda:0"), Device::cuda(0));
  EXPECT_EQ(Device::parse("cuda:12"), Device::cuda(12));
  EXPECT_NE(Device::cuda(1), Device::cuda());
  for (const Device device :
       {Device::cpu(), Device::reference(), Device::cuda(), Device::cuda(3)}) {
    EXPECT_EQ(Device::parse(device.name()), device);
  }
  EXPECT_EQ(Device::cuda(3).ordinal(), 3);
  for (const char* text :
       {"cuda:", "cuda:-1", "cuda: 1", "cuda:1x", "cuda:99999999999", "CUDA", "cuda1", "gpu"}) {
    EXPECT_EQ(
        refusal([&] { Device::parse(text); }),
        "device: got " + std::string(text) + "; accepted: auto, cpu, cuda, cuda:NUMBER, reference");
  }
  EXPECT_TRUE(says(refusal([] { Device::cuda(-1); }), "-1"));
}

class NoCudaDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu_count() > 0) GTEST_SKIP() << "this machine has a CUDA device";
  }
};

TEST_F(NoCudaDevice, APlanOnOneSaysWhyThereIsNone) {
  Model model;
  model.grid = uniform_grid(1.0, 4);
  model.save = {4};
  model.drift = Mlp{.hidden = {4}};
  const std::string message = refusal([&] { Plan(model, Device::cuda()); });
  EXPECT_FALSE(gpu_absence().empty());
  EXPECT_EQ(message, "device: got cuda, but " + gpu_absence() + "; accepted: cpu, reference");
  EXPECT_TRUE(says(refusal([&] { Plan(model, Device::cuda(2)); }), "cuda:2"));
  EXPECT_EQ(Device::best(), Device::cpu());
}

TEST_F(NoCudaDevice, TheReportSaysWhyThereIsNone) {
  const EnvironmentVariable cache("ITO_CACHE_DIR", "/nonesuch/cache");
  const CudaReport report = cuda_report();
  EXPECT_TRUE(report.gpus.empty());
  EXPECT_EQ(report.absence, gpu_absence());
  EXPECT_EQ(report.cache, "/nonesuch/cache");
  EXPECT_EQ(report.cache_bytes, 0u);
  EXPECT_NE(report.compiler.empty(), report.compiler_absence.empty());
}

/// A device that only has properties.
class NamedGpu final : public Gpu {
 public:
  const GpuProperties& properties() const override { return properties_; }
  std::shared_ptr<const GpuModule> compile(const KernelSource&) override { return nullptr; }
  void* allocate(std::size_t) override { return nullptr; }
  void release(void*) noexcept override {}
  void copy(void*, const void*, std::size_t, GpuStream) override {}
  void clear(void*, std::size_t, GpuStream) override {}
  void launch(const GpuKernel&, LaunchShape, const void*, std::size_t, GpuStream) override {}
  void synchronize(GpuStream) override {}
  void multiply(const MatrixProduct&, GpuStream) override {}
  std::size_t product_workspace_bytes() override { return 0; }
  GpuStream make_stream() override { return nullptr; }
  void release_stream(GpuStream) noexcept override {}
  std::unique_ptr<GpuGraph> capture(GpuStream, const std::function<void()>&) override {
    return nullptr;
  }

 private:
  GpuProperties properties_{"a stand-in", 80, 1, 1 << 16, 1 << 20};
};

TEST_F(NoCudaDevice, OneThatStandsInIsOpenedAndCounted) {
  const auto stand_in = std::make_shared<NamedGpu>();
  replace_gpu(stand_in);
  EXPECT_EQ(gpu_count(), 1);
  EXPECT_EQ(open_gpu(0), stand_in);
  EXPECT_EQ(gpu_absence(), "");
  EXPECT_EQ(cuda_report().gpus.at(0).name, "a stand-in");
  EXPECT_EQ(refusal([] { open_gpu(1); }), "device: got cuda:1; accepted: cuda:0 to cuda:0");
  replace_gpu(nullptr);
  EXPECT_EQ(gpu_count(), 0);
}

TEST_F(NoCudaDevice, TheBestDeviceGivesWayToOneOfThePlansPrecision) {
  Model model;
  model.grid = uniform_grid(1.0, 4);
  model.drift = Mlp{.hidden = {4}};
  EXPECT_EQ(Plan(model, Device::best()).device(), Device::cpu());
  EXPECT_EQ(DoublePlan(model, Device::best()).device(), Device::reference());
}

TEST(Nvrtc, AFileThatIsNotThereIsNamed) {
  const EnvironmentVariable own("ITO_NVRTC", "/nonesuch/libnvrtc.so");
  const CudaReport report = cuda_report();
  if (!report.compiler.empty()) GTEST_SKIP() << "another test of this process has loaded NVRTC";
  if (says(report.compiler_absence, "this build")) GTEST_SKIP() << report.compiler_absence;
  EXPECT_TRUE(says(report.compiler_absence, "/nonesuch/libnvrtc.so"));
  EXPECT_TRUE(says(report.compiler_absence, "ITO_NVRTC"));
}

TEST(Cublas, IsFoundWithAllItsFunctionsOrSaysWhatBringsIt) {
  const std::string message = refusal([] { cublas_library(); });
  if (message == "accepted") {
    EXPECT_FALSE(cublas_library().version.empty());
    EXPECT_TRUE(says(cublas_library().path, "cublas"));
  } else if (message != gpu_absence()) {  // of a build without the toolkit
    EXPECT_TRUE(says(message, "nvidia-cublas"));
    EXPECT_TRUE(says(message, "ITO_CUBLAS"));
  }
}

}  // namespace
}  // namespace ito::cuda
