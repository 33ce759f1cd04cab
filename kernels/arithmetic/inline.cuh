// The arithmetic in this folder is written once for every engine: as templates over the number
// type, `double` in the reference engine, a vector of lanes in the CPU engine, `float` in a CUDA
// thread. ITO_INLINE is for that; ITO_DEVICE for what only kernels call. ITO_ROLLED keeps a loop's
// code short, ITO_UNROLLED_4 lets the loads of four turns be under way together.
#pragma once

#ifdef __CUDACC__
#define ITO_INLINE __host__ __device__ __forceinline__
#define ITO_DEVICE __device__ __forceinline__
#define ITO_ROLLED _Pragma("unroll 1")
#define ITO_UNROLLED_4 _Pragma("unroll 4")
#else
#define ITO_INLINE inline
#define ITO_DEVICE inline
#define ITO_ROLLED
#define ITO_UNROLLED_4
#endif
