// The arithmetic in this folder is written once for every engine: as templates over the number
// type, `double` in the reference engine, a vector of lanes in the CPU engine, `float` in a CUDA
// thread.
#pragma once

#ifdef __CUDACC__
#define ITO_INLINE __host__ __device__ __forceinline__
#else
#define ITO_INLINE inline
#endif
