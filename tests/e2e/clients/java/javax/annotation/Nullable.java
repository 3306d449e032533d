package javax.annotation;

/** Stands for the one of JSR 305, which no JDK has; generated code names it and nothing reads it. */
public @interface Nullable {}
